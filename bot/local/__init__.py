"""Old module names, kept as aliases; `docs/upgrade.md` lists the new names."""
