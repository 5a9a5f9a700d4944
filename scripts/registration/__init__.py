"""Parts of make_registration_pairs.py and compare_registration: pairs of CTs with a known map, and how each program finds it."""
