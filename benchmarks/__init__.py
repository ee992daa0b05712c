"""Measurements of the whole product in the lab, beside other software in the same lab and the same run."""
