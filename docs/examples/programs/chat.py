#!/usr/bin/env python3
"""An observer: posts what becomes of each database to the webhook in CHAT_WEBHOOK."""

import json
import os
import sys
import urllib.request


def post(text):
    body = json.dumps({"text": text}).encode()
    request = urllib.request.Request(os.environ["CHAT_WEBHOOK"], body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10):
        pass


for line in sys.stdin:
    message = json.loads(line)
    if message["type"] == "event":
        about = message.get("database") or message["migration"]
        try:
            post(f"{about}: {message['text']}")
        except OSError as error:
            print(f"the chat room could not be reached: {error}", file=sys.stderr)
