"""The door: sign-in, sign-up with a class code, one-time welcome links, and the hub's own pages in two languages.

:func:`apply` sets every trait of this part on JupyterHub's configuration object. It imports no JupyterHub: whoever
only wants the configuration does not pay for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hub.door.assets import Assets
from hub.i18n import Locale, jinja_options

PACKAGE = Path(__file__).parent.parent
TEMPLATES = PACKAGE / "templates"
STATIC = PACKAGE / "static"

# Nothing from third parties, and no page of ours in another site's frame. Stock pages (tokens, admin) have inline
# scripts; the door's own handlers send a stricter policy.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; object-src 'none'; base-uri 'self'; frame-ancestors 'none'"
)


def apply(c: Any, *, database_url: str, locale: Locale) -> None:
    """Set the authenticator, the pages and the cookies on ``c``; set ``c.JupyterHub.public_url`` first: it is read."""
    c.JupyterHub.authenticator_class = "hub.authenticator.ReelwrightAuthenticator"
    c.ReelwrightAuthenticator.database_url = database_url
    c.ReelwrightAuthenticator.site_locale = locale
    c.JupyterHub.template_paths = [str(TEMPLATES)]
    c.JupyterHub.logo_file = str(STATIC / "mark.svg")
    c.JupyterHub.jinja_environment_options = jinja_options(locale, Assets)
    c.JupyterHub.redirect_to_server = False
    c.JupyterHub.cookie_max_age_days = 7
    is_https = str(c.JupyterHub.get("public_url", "")).startswith("https:")
    cookies: dict[str, Any] = {"samesite": "Lax", **({"secure": True} if is_https else {})}
    c.JupyterHub.tornado_settings = {
        "cookie_options": cookies,
        # The pages carry the token in their forms, so no script needs to read this cookie.
        "xsrf_cookie_kwargs": {**cookies, "httponly": True},
        "headers": {
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
            "X-Content-Type-Options": "nosniff",
            # A welcome link carries its one-time code in the address.
            "Referrer-Policy": "same-origin",
        },
    }
