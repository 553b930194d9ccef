"""`/` and `/dashboard/...`: the page for people, and its files.

They are public, as `/docs` is: what they show comes from the routes of the data, which want a key where one is needed.
"Public" is said once more by the policy: a page that runs nothing but its own files, in no frame, talks to nobody but
this service, and makes neither code nor markup out of text (`PAGE_POLICY` in service/api/headers.py).

With FIRSTSEEN_DASHBOARD=false `/` leads to `/docs`, and there is nothing under `/dashboard/`.
"""

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from service.api.context import context_of
from service.api.plain_route import PlainRoute
from service.dashboard.files import PAGE, File, VendorMissing
from service.errors import UnknownPath

router = APIRouter(route_class=PlainRoute, include_in_schema=False)

_ASKED = ["GET", "HEAD"]


@router.api_route("/", methods=_ASKED)
async def page(request: Request) -> Response:
    """The page itself."""
    context = context_of(request)
    if not context.settings.dashboard:
        return RedirectResponse("/docs")
    try:
        return _shown(request, context.dashboard[PAGE])
    except VendorMissing as absent:
        return PlainTextResponse(f"{absent}\n", status_code=503)


@router.api_route("/dashboard/{path:path}", methods=_ASKED)
async def file(request: Request) -> Response:
    """A file of the page.

    Raises:
        UnknownPath: There is none of this name.
    """
    context = context_of(request)
    found = None
    if context.settings.dashboard:
        try:
            found = context.dashboard.get(request.path_params["path"])
        except VendorMissing as absent:
            return PlainTextResponse(f"{absent}\n", status_code=503)
    if found is None:
        raise UnknownPath("The dashboard has no such file; `/` shows it.")
    return _shown(request, found)


def _shown(request: Request, found: File) -> Response:
    """A file, or word that the browser has it already."""
    keep = "public, max-age=31536000, immutable" if found.is_immutable else "no-cache"
    headers = {"etag": found.etag, "cache-control": keep, "vary": "accept-encoding"}
    known = (tag.strip() for tag in request.headers.get("if-none-match", "").split(","))
    if found.etag in known:
        return Response(status_code=304, headers=headers)
    body = found.body
    if "gzip" in request.headers.get("accept-encoding", ""):
        body = found.gzipped
        headers["content-encoding"] = "gzip"
    return Response(body, media_type=found.media_type, headers=headers)
