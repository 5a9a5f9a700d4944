"""The point- and box-prompted lesion network: data, synthetic cases, network, training, measuring. See train_lesion_voi.py."""
