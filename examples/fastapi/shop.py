"""A shop that tells its customers by Tocsin, in FastAPI.

pip install "tocsin[client]" fastapi uvicorn pyjwt
TOCSIN_URL=http://127.0.0.1:8000 TOCSIN_AGENT_KEY=… TOCSIN_JWT_SECRET=… uvicorn shop:app --port 8001
curl -X POST 127.0.0.1:8001/orders -H 'X-User: ada'
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
from fastapi import BackgroundTasks, Depends, FastAPI, Header

from tocsin.client import AsyncClient

DATABASE = os.environ.get("SHOP_DATABASE", "shop.sqlite")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Have the table, and one client for all requests."""
    with transaction() as database:
        database.execute("create table if not exists orders (id integer primary key, buyer text)")
    async with AsyncClient(f"{os.environ['TOCSIN_URL']}/graphql", os.environ["TOCSIN_AGENT_KEY"]) as tocsin:
        app.state.tocsin = tocsin
        yield


app = FastAPI(lifespan=lifespan)


@contextmanager
def transaction() -> Iterator[sqlite3.Connection]:
    """Commit where the block ends."""
    database = sqlite3.connect(DATABASE)
    try:
        with database:
            yield database
    finally:
        database.close()


def current_user(x_user: Annotated[str, Header()]) -> str:
    """Return who is logged in; your own login stands here."""
    return x_user


User = Annotated[str, Depends(current_user)]


@app.post("/orders")
def order(user: User, after: BackgroundTasks) -> dict[str, int | None]:
    """Take an order; the customer hears of it once it is committed."""
    with transaction() as database:
        number = database.execute("insert into orders (buyer) values (?)", (user,)).lastrowid
    # Runs after the answer. If this process dies before, nobody is told: what must not be lost is written to a
    # table of your own in the same transaction, and a job sends it with the same key until it is answered.
    after.add_task(tell, user, number)
    return {"order": number}


async def tell(user: str, number: int | None) -> None:
    """Notify; the key says what it is about, so that a repetition is no second notification."""
    await app.state.tocsin.notify(
        [user],
        type="order.placed",
        title=f"Order {number} is placed",
        url=f"/orders/{number}",
        idempotency_key=f"order-{number}-placed",
    )


@app.get("/bell-token")
def bell_token(user: User) -> dict[str, str]:
    """Give the page a token for the bell, which asks Tocsin directly; it may read this user's inbox only."""
    now = datetime.now(UTC)
    claims = {"sub": user, "tenant": "shop", "iss": "tocsin", "aud": "tocsin", "iat": now}
    expires = {"exp": now + timedelta(minutes=15)}
    return {"token": jwt.encode(claims | expires, os.environ["TOCSIN_JWT_SECRET"], "HS256")}
