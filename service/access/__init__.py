"""Who may ask, from where, and how much: keys, scopes, quotas, origins."""
