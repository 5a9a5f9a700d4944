"""Why a peer of `compare_ingest` differs: rules that are checked on the series itself, never written by hand for one run.

A rule looks at one cell of a row (a column and its text) and at the facts of the series, and gives the reason or None.
"""

import re

# Refusals: what the program says, and why that is right where peers go on.
REFUSALS = [
    (r"pixels are colours", "colours are no measured value; peers give three channels"),
    (r"no usable Image (Orientation|Position)", "a picture without a place in the patient; peers put it at the origin"),
    (r"has no Patient ID", "a file without Patient ID belongs to nobody in an archive; peers do not ask"),
    (r"single slice without Slice Thickness", "its extent along k is not stated; peers take 1 mm"),
    (r"their sign is in doubt", "code stream and header contradict each other about the sign; peers believe one of them"),
    (r"is truncated", "the file ends in its pixels; peers fail, or fill with zeros"),
    (r"12-bit JPEG with loss", "12-bit lossy JPEG: no decoder among the kept libraries; the message names the command"),
    (r"damaged or truncated", "a data set that contradicts its own encoding; peers guess"),
    (r"Dose Units .* expected GY", "a relative dose is no gray"),
]

# Notes of ours that mean another grid than the slices' own, and what peers do with such slices.
RESAMPLED = {
    "gantry_tilt_resampled": "the stack leans: made upright here, the values written are met; SimpleITK's grid ignores the lean, "
                             "dcm2niix writes a second file",
    "missing_slice_interpolated": "a slice is missing: interpolated here, the values written are met; SimpleITK closes the gap, "
                                  "dcm2niix writes a second file",
    "uneven_slices_interpolated": "uneven slices: interpolated here, the values written are met; SimpleITK takes one distance "
                                  "for all, dcm2niix writes a second file",
}

NOT_READ_BY_DCM2NIIX = {"1.2.840.10008.1.2.1.99": "deflated files", "1.2.840.10008.1.2.4.202": "HTJ2K with RPCL options"}

# What a value may be off because images are 32-bit floats here and slopes are in NIfTI: two roundings.
FLOAT_STEPS = 2.0**-22

# Positions that agree within this need no reason, mm.
POSITION_TOLERANCE_MM = 1e-3


def number(text):
    match = re.match(r"[-+0-9.e]+", text)
    return float(match.group()) if match else None


def agrees(column, text):
    """Whether a cell shows no difference worth a reason."""
    value = number(text) if not text.endswith("voxels") else None
    limit = POSITION_TOLERANCE_MM if column.startswith("position") else 0
    return text == "" or (value is not None and value <= limit and "clipped" not in text and "%" not in text)


def reason(column, text, facts):
    """The reason for one cell, or None."""
    value = number(text) if not text.endswith("voxels") else None
    is_position = column.startswith("position")
    peer = column.removeprefix("position_mm_")
    for note, why in RESAMPLED.items():
        if note in facts["notes"]:
            if column == "written":
                return "written in steps of 1/64" if value <= 1 / 128 + 1e-4 else None
            return why
    if not is_position and value is not None and value <= FLOAT_STEPS * facts["largest"]:
        return "rounding to 32-bit floats"
    if facts["syntax"].endswith("4.50") and value is not None and value <= 1:
        return "decoders of lossy JPEG may differ by one level (ITU-T T.83)"
    if facts["overshoots"] and not is_position:
        return "the lossy code overshoots the stored bits: kept at the end of their range here, wrapped or kept by peers"
    if facts["shifted_bits"] and not is_position and facts["written_is_met"]:
        return "High Bit is not Bits Stored - 1, which peers do not look at; the values written are met"
    if facts["shuffled"] and peer in ("simpleitk", "dcm2niix") and facts["written_is_met"]:
        return "frames lie in the file in another order than in space: SimpleITK takes the file's, dcm2niix too where compressed"
    if peer == "dcm2niix" and facts["syntax"] in NOT_READ_BY_DCM2NIIX and "0 files" in text:
        return f"dcm2niix does not read {NOT_READ_BY_DCM2NIIX[facts['syntax']]}"
    if peer == "dcm2niix" and facts["overlay"] and "2 files" in text:
        return "dcm2niix writes the overlay as a second file"
    if peer in ("simpleitk", "dcm2niix") and not facts["preamble"] and text.startswith("failed") and facts["written_is_met"]:
        return "SimpleITK and dcm2niix read no file with a meta group but without preamble; the values written are met"
    if peer == "simpleitk" and facts["wide_big_endian"] and facts["written_is_met"]:
        return "GDCM exchanges the halves of 32-bit big-endian pixels; the values written are met"
    if peer == "simpleitk" and facts["real_pixels"] and text.startswith("failed"):
        return "GDCM reads no Float or Double Float Pixel Data"
    if peer == "dcm2niix" and facts["real_pixels"]:
        return "dcm2niix does not read Double Float Pixel Data as written"
    if is_position and peer == "dcm2niix" and facts["from_headers_mm"] <= POSITION_TOLERANCE_MM:
        return f"dcm2niix takes another slice distance ({facts['dcm2niix_step_mm']:.7g} mm); the headers' own positions are met"
    if is_position and peer == "dcm2niix" and facts["uneven"]:
        return (f"slices are uneven by rounding: dcm2niix takes another slice distance ({facts['dcm2niix_step_mm']:.7g} mm), "
                "ours is from first to last")
    if column == "position_mm_headers" and facts["uneven"] and value <= 0.05:
        return "slices lie off an even stack by less than half of what scanners round to; noted"
    if facts["dose"] and peer in ("simpleitk", "dcm2niix"):
        return "an RT dose: read as gray here and by pydicom; the peer does not scale or place it"
    return None


def reasons(row, facts):
    """All reasons of a row, joined; UNEXPLAINED with the columns that no rule explains."""
    said, unexplained = [], []
    for column, text in row.items():
        if column in ("series", "transfer_syntax", "lesiontrace", "why") or agrees(column, text):
            continue
        why = reason(column, text, facts)
        if why is None:
            unexplained.append(column)
        elif why not in said:
            said.append(why)
    if unexplained:
        said.append(f"UNEXPLAINED: {', '.join(unexplained)}")
    return "; ".join(said)


def refusal(message):
    why = next((why for pattern, why in REFUSALS if re.search(pattern, message)), None)
    return why or "UNEXPLAINED: refused"
