"""A configuration's text -> what Olive will really do. `load_config` reads, upgrades and checks; it never raises."""

from phinb.config.config import Config, load_config
from phinb.config.pieces import Piece

__all__ = ["Config", "Piece", "load_config"]
