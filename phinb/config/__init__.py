"""A configuration's text -> what Olive will really do. `load_config` reads, upgrades and checks; it never raises."""

from phinb.config.config import Config, load_config

__all__ = ["Config", "load_config"]
