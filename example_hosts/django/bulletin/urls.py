"""One view."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.urls import path

from bulletin.models import User


def users(request: HttpRequest) -> JsonResponse:
    """The e-mail addresses of all users."""
    emails = User.objects.order_by("email").values_list("email", flat=True)
    return JsonResponse(list(emails), safe=False)


urlpatterns = [path("users", users)]
