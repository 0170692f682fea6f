"""A shop that tells its customers by Tocsin, in Django, whole in one file.

pip install "tocsin[client]" django pyjwt
TOCSIN_URL=http://127.0.0.1:8000 TOCSIN_AGENT_KEY=… TOCSIN_JWT_SECRET=… python shop.py runserver 8001 --noreload
curl -X POST 127.0.0.1:8001/orders -H 'X-User: ada'
"""

import os
import sys
from datetime import UTC, datetime, timedelta
from functools import cache, partial

import jwt
from django.conf import settings
from django.core.management import execute_from_command_line
from django.db import connection, transaction
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from tocsin.client import Client, Patience

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ.get("DJANGO_SECRET_KEY", "only for this example"),
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ.get("SHOP_DATABASE", "shop.sqlite"),
        }
    },
)


@cache
def tocsin() -> Client:
    """Return the one client of this process; its threads share it. A customer waits 5 s for it at most."""
    url, key = os.environ["TOCSIN_URL"], os.environ["TOCSIN_AGENT_KEY"]
    return Client(f"{url}/graphql", key, patience=Patience(seconds=5))


def current_user(request: HttpRequest) -> str:
    """Return who is logged in; in your application this is request.user."""
    return request.headers["X-User"]


@csrf_exempt  # the example is called by curl
@require_POST
@transaction.atomic
def order(request: HttpRequest) -> JsonResponse:
    """Take an order; the customer hears of it once it is committed, and never if that rolls back."""
    user = current_user(request)
    with connection.cursor() as cursor:
        cursor.execute("create table if not exists orders (id integer primary key, buyer text)")
        cursor.execute("insert into orders (buyer) values (%s)", [user])
        number = cursor.lastrowid
    # robust: an order stands, and is answered, even if Tocsin is away; Django logs what was raised. What must not
    # be lost is left to a task queue here, with the same key.
    transaction.on_commit(partial(tell, user, number), robust=True)
    return JsonResponse({"order": number})


def tell(user: str, number: int) -> None:
    """Notify; the key says what it is about, so that a repetition is no second notification."""
    tocsin().notify(
        [user],
        type="order.placed",
        title=f"Order {number} is placed",
        url=f"/orders/{number}",
        idempotency_key=f"order-{number}-placed",
    )


@require_GET
def bell_token(request: HttpRequest) -> JsonResponse:
    """Give the page a token for the bell, which asks Tocsin directly; it may read this user's inbox only."""
    now = datetime.now(UTC)
    claims = {"sub": current_user(request), "tenant": "shop", "iss": "tocsin", "aud": "tocsin", "iat": now}
    expires = {"exp": now + timedelta(minutes=15)}
    token = jwt.encode(claims | expires, os.environ["TOCSIN_JWT_SECRET"], "HS256")
    return JsonResponse({"token": token})


urlpatterns = [path("orders", order), path("bell-token", bell_token)]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
