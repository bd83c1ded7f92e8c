"""File formats that ``tensorcost import`` takes (decisions 29)."""

from enum import StrEnum


class FileFormat(StrEnum):
    BEDROCK_LOGS = "bedrock-logs"
    AWS_CUR = "aws-cur"
    FOCUS = "focus"
    AZURE_EXPORT = "azure-export"
    EVENTS = "events"
