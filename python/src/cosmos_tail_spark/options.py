"""The options of the data source, and the flags and variables of `cosmos-tail` that they become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Options that are flags of a command, by their names without separators: `maxRu` and `max_ru` are `--max-ru`.
_CONNECTION = (
    "endpoint", "profile", "region", "limit-to-endpoint", "token-scope", "key-file",
)
_READING = ("max-ru", "page-size", "concurrency", "max-retries")
_PLANNING = ("database", "container", "from", "query", "sample", "detect-timestamps", "strict-types", "system-fields")
_SWITCHES = {"limit-to-endpoint", "detect-timestamps", "strict-types"}
# Options that are variables, so that no other process can read them.
_SECRETS = {"accountkey": "AZURE_COSMOS_KEY", "connectionstring": "AZURE_COSMOS_CONNECTION_STRING"}
_OWN = ("binary", "partitions", "mode", "columns", "extra", "plan")


# How many partitions a frame has if nothing else is said. Each is sent with the whole plan.
MAX_PARTITIONS = 200


def _plain(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()


_FLAGS = {_plain(name): name for name in (*_CONNECTION, *_READING, *_PLANNING)}
_OWN_BY_PLAIN = {_plain(name): name for name in _OWN}


@dataclass(frozen=True)
class Options:
    """The options that were given, by what they are for."""

    connection: list[str] = field(default_factory=list)
    reading: list[str] = field(default_factory=list)
    planning: list[str] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    own: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> Options:
        """Sorts the options.

        Raises ValueError if one has a name that is not known.
        """
        options = cls()
        for name, value in given.items():
            plain = _plain(name)
            if plain in _SECRETS:
                options.secrets[_SECRETS[plain]] = value
            elif plain in _OWN_BY_PLAIN:
                options.own[_OWN_BY_PLAIN[plain]] = value
            elif plain in _FLAGS:
                flag = _FLAGS[plain]
                of = options.planning
                if flag in _CONNECTION:
                    of = options.connection
                elif flag in _READING:
                    of = options.reading
                of.extend(_flag(flag, value))
            else:
                known = sorted([*_FLAGS.values(), *_OWN, "account-key", "connection-string"])
                raise ValueError(f"cosmos_tail has no option `{name}`; it has {', '.join(known)}")
        return options

    def partitions(self, ranges: int) -> int:
        """How many partitions a frame of a plan of so many ranges has: one for each, up to a limit.

        Raises ValueError if the option is not a number of at least 1.
        """
        text = self.own.get("partitions")
        if text is None:
            return min(ranges, MAX_PARTITIONS)
        if not text.isascii() or not text.isdigit() or int(text) < 1:
            raise ValueError(f"the option `partitions` is `{text}`, which is not a number of at least 1")
        return int(text)


def _flag(flag: str, value: str) -> list[str]:
    if flag not in _SWITCHES:
        # In one argument, so that no value is taken for a flag.
        return [f"--{flag}={value}"]
    if value.lower() not in ("true", "false"):
        raise ValueError(f"the option `{flag}` is `{value}`, which is neither true nor false")
    return [f"--{flag}"] if value.lower() == "true" else []
