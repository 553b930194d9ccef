"""Streams on a real server, as the tests of the store have them."""

from tests.service.state.conftest import client, make_store, proxy, server, short_path, stream

__all__ = ["client", "make_store", "proxy", "server", "short_path", "stream"]
