"""What a secret looks like: keys, tokens and passwords that stand in a configuration in clear text."""

from __future__ import annotations

import re

PATTERNS = {
    "a Hugging Face token": re.compile(r"\b(?:hf|api_org)_[A-Za-z0-9]{20,}\b"),
    "an Azure storage key": re.compile(r"\b(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/=]{20,}"),
    "an Azure shared access signature": re.compile(r"(?:[?&]|\b)sig=[A-Za-z0-9%+/=]{20,}"),
    "a client secret of Microsoft Entra": re.compile(r"(?<![\w~.-])[\w.-]{3}8Q~[\w~.-]{31,34}(?![\w~.-])"),
    "an API key": re.compile(r"\b(?:sk-[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{40,})"),
    "a web token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
}
"""By what each is called. Their forms are documented by those who issue them."""

_KEY = re.compile(
    r"(?:.*_)?(?:hf|hub|hugging_?face|access|api|auth|bearer|sas|secret|refresh)_?token"
    r"|token|.*api_?key|.*(?:account|storage|access|secret|subscription)_key|.*password|.*passwd|.*(?:client_)?secret"
    r"|.*connection_string",
    re.IGNORECASE,
)
"""Keys that hold a secret by their name; bos_token, eos_token and the like are none."""

_NO_SECRET = re.compile(r"\s*(?:|true|false|none|null|0|1|\$\{?\w+\}?|%\w+%|env:\S+|<[^<>]*>|\*+)\s*", re.IGNORECASE)
"""Nothing, a flag, the name of an environment variable, a placeholder, or one that is hidden already."""

HIDDEN = "•••"


def secret_in(key: str, text: str) -> str:
    """What kind of secret a text is, under its key; "" where it is none."""
    for name, pattern in PATTERNS.items():
        if pattern.search(text):
            return name
    if _KEY.fullmatch(key) and not _NO_SECRET.fullmatch(text):
        return "a secret, by the name of its key"
    return ""


def hide_known(text: str) -> str:
    """The text without the secrets that show by their form."""
    for pattern in PATTERNS.values():
        text = pattern.sub(HIDDEN, text)
    return text
