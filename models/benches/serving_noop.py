"""What the framework itself costs: a POST whose body is read, answered by constant bytes."""

from __future__ import annotations

import json
import sys

import uvicorn
from fastapi import FastAPI, Request, Response

ITEMS = [
    {"item_id": f"item{number:06d}", "position": number, "score": 0.5, "source": "personal"}
    for number in range(1, 21)
]
ANSWER = json.dumps({"request_id": "0" * 36, "items": ITEMS}).encode()
app = FastAPI()


@app.post("/v1/recommendations/{placement}")
async def nothing(placement: str, request: Request) -> Response:
    """Read the body, and look at nothing of it."""
    await request.body()
    return Response(ANSWER, media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(
        app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, ws="none"
    )
