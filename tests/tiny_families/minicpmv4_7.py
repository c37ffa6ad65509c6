"""MiniCPM-V 4.7: positions on the picture, which need the tokens around it."""

from transformers import MiniCPMV4_7Config, MiniCPMV4_7ForConditionalGeneration

from tiny_families.minicpmv4_6 import write_model


def write(folder):
    write_model(
        folder,
        MiniCPMV4_7ForConditionalGeneration,
        MiniCPMV4_7Config,
        "MiniCPMV4_7",
        image_start_id="image_start_token",
        image_end_id="image_end_token",
        slice_start_id="slice_start_token",
        slice_end_id="slice_end_token",
        newline_id="newline",
    )
