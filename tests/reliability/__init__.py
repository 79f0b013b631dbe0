"""Races, kills, broken remotes, failing hooks and signers: what must hold when things go wrong."""
