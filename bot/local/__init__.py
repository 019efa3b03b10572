"""Old module names that people may still type; each says where it went (docs/upgrade.md)."""
