import os
import threading
from pathlib import Path
from typing import Any

from common.events import AnyEvent, Event
from common.inbox import subscribe


@subscribe(AnyEvent, batch=True)
def block(events: list[Event[Any]]) -> None:
    """Say how many events the open transaction holds, and stay in it for ever."""
    Path(os.environ["BLOCKED_FILE"]).write_text(str(len(events)))
    threading.Event().wait()
