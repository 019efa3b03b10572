"""The certificate authorities that are trusted: the public ones, and a company's own from SSL_CERT_FILE."""

import ssl
from typing import Any

from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from bot.settings import Settings


def trust_of(settings: Settings) -> ssl.SSLContext | None:
    """Return a context that trusts SSL_CERT_FILE too; None if it is not set, for the defaults of each client."""
    if settings.ssl_cert_file is None:
        return None
    context = ssl.create_default_context()
    # OpenSSL reads SSL_CERT_FILE in place of the public authorities, and the file may hold only the company's.
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    context.load_verify_locations(settings.ssl_cert_file)
    # From Python 3.13 on the default refuses certificates without extensions that many companies' authorities omit.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


class TrustAdapter(HTTPAdapter):
    """An adapter for `requests`, which ignores SSL_CERT_FILE. Mount it for the address that needs the context."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options, ssl_context=self._context)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return super().proxy_manager_for(proxy, **options, ssl_context=self._context)
