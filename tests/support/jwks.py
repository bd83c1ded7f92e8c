"""A key set server over real HTTP, and tokens signed with its keys."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

CLIENT_ID = "fake-app-client"


@dataclass
class KeyServer:
    """An issuer: change ``keys`` to rotate, set ``broken`` to fail; ``fetches`` counts."""

    port: int = 0
    keys: dict[str, RSAPrivateKey] = field(default_factory=dict)
    broken: bool = False
    fetches: int = 0

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}/fake-pool"

    @property
    def url(self) -> str:
        return f"{self.issuer}/.well-known/jwks.json"

    def add_key(self, kid: str) -> None:
        self.keys[kid] = generate_private_key(public_exponent=65537, key_size=2048)

    def document(self) -> dict[str, Any]:
        return {
            "keys": [
                {
                    **RSAAlgorithm.to_jwk(key.public_key(), as_dict=True),
                    "kid": kid,
                    "use": "sig",
                    "alg": "RS256",
                }
                for kid, key in self.keys.items()
            ]
        }

    def token(self, subject: str, now: datetime, *, kid: str, **claims: Any) -> str:
        """An id token; ``claims`` override, None removes."""
        body = {
            "iss": self.issuer,
            "sub": subject,
            "aud": CLIENT_ID,
            "token_use": "id",
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(hours=1)).timestamp()),
            **claims,
        }
        body = {name: value for name, value in body.items() if value is not None}
        return jwt.encode(body, self.keys[kid], algorithm="RS256", headers={"kid": kid})


@contextmanager
def key_server() -> Iterator[KeyServer]:
    served = KeyServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.fetches += 1
            body = b"no" if served.broken else json.dumps(served.document()).encode()
            self.send_response(500 if served.broken else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
