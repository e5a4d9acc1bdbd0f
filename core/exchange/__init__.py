"""Datasets in and out: COCO, YOLO, VOC, each verified."""
