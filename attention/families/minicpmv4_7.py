"""MiniCPM-V 4.7: as MiniCPM-V 4.6, with positions of its tokens on the picture."""

from __future__ import annotations

from transformers.models.minicpmv4_7.processing_minicpmv4_7 import MiniCPMV4_7Processor

from .minicpmv4_6 import ImagesOnly, MiniCPMV46


class Processor(ImagesOnly, MiniCPMV4_7Processor):
    pass


class MiniCPMV47(MiniCPMV46):
    label = "MiniCPM-V 4.7"
    processor_class = Processor


FAMILY = MiniCPMV47()
