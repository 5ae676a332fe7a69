"""A mail server that prints each message as one line of JSON.

The first line is the port. Ends when its standard input closes.
"""

import json
import sys
from email import message_from_bytes, policy

from aiosmtpd.controller import Controller


class Capture:
    async def handle_DATA(self, server, session, envelope):
        message = message_from_bytes(envelope.content, policy=policy.default)
        plain = message.get_body(preferencelist=("plain",))
        html = message.get_body(preferencelist=("html",))
        print(
            json.dumps(
                {
                    "from": envelope.mail_from,
                    "to": envelope.rcpt_tos,
                    "subject": str(message["subject"]),
                    "text": plain.get_content() if plain else "",
                    "html": html.get_content() if html else "",
                    "parts": [part.get_content_type() for part in message.walk()],
                }
            ),
            flush=True,
        )
        return "250 OK"


host, port = sys.argv[1], int(sys.argv[2])
controller = Controller(Capture(), hostname=host, port=port)
controller.start()
print(json.dumps({"port": port}), flush=True)
sys.stdin.read()
controller.stop()
