from common.testing.bus import bus

__all__ = ["bus"]
