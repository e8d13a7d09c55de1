"""The interactive page about the API: Swagger UI upon the server's own OpenAPI description.

In: the files of Swagger UI, from the package ``swagger-ui-py``; nothing is fetched from elsewhere.
Out: the endpoints of the page.
"""

from importlib.util import find_spec
from pathlib import Path

from starlette.responses import Response

from inlink.api.commands import GET
from inlink.api.routing import Endpoint
from inlink.contract.paths import PREFIX

PAGE = "/docs"

_ASSETS = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}

_HTML = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Inlink API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{PAGE}/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{PAGE}/swagger-ui-bundle.js"></script>
<script>
SwaggerUIBundle({{url: "{PREFIX}/openapi.json", dom_id: "#swagger-ui", validatorUrl: null}});
</script>
</body>
</html>
"""


def page_endpoints() -> list[Endpoint]:
    """The page and what it loads."""
    package = find_spec("swagger_ui")  # not imported: it would import a template engine
    assert package is not None
    assert package.submodule_search_locations is not None
    static = Path(package.submodule_search_locations[0]) / "static"
    page = Endpoint(PAGE, GET, Response(_HTML, media_type="text/html"))
    return [page, *(_asset(static / name, media_type) for name, media_type in _ASSETS.items())]


def _asset(file: Path, media_type: str) -> Endpoint:
    return Endpoint(f"{PAGE}/{file.name}", GET, Response(file.read_bytes(), media_type=media_type))
