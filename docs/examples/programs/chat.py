#!/usr/bin/env python3
"""An observer: tells a chat room, by the webhook in CHAT_WEBHOOK, what becomes of each database."""

import json
import os
import sys
import urllib.request


def tell(text):
    body = json.dumps({"text": text}).encode()
    request = urllib.request.Request(os.environ["CHAT_WEBHOOK"], body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10):
        pass


for line in sys.stdin:
    message = json.loads(line)
    if message["type"] == "event":
        about = message.get("database") or message["migration"]
        try:
            tell(f"{about}: {message['text']}")
        except OSError as error:
            print(f"the chat room was not told: {error}", file=sys.stderr)
