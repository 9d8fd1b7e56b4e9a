"""The rules of the upgrade, by what they are about; upgrade.py has their order."""
