"""The certificate authorities that are trusted: the public ones, and a company's own from SSL_CERT_FILE."""

import ssl
from typing import TYPE_CHECKING, Any

from bot.settings import Settings

if TYPE_CHECKING:  # loaded only for LangSmith, for a collector, or with SSL_CERT_FILE
    from requests.adapters import HTTPAdapter


def trust_of(settings: Settings) -> ssl.SSLContext | None:
    """Return a context that trusts SSL_CERT_FILE too; None if it is not set, for the defaults of each client."""
    if settings.ssl_cert_file is None:
        return None
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    context = ssl.create_default_context()
    # OpenSSL reads SSL_CERT_FILE in place of the public authorities, and the file may hold only the company's.
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    context.load_verify_locations(settings.ssl_cert_file)
    # From Python 3.13 on the default refuses certificates without extensions that many companies' authorities omit.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def adapter_of(context: ssl.SSLContext | None) -> "HTTPAdapter | None":
    """Return an adapter for `requests`, which ignores SSL_CERT_FILE; None without a context.

    Mount it for the address that needs the context.
    """
    if context is None:
        return None
    from requests.adapters import HTTPAdapter

    class TrustAdapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **options: Any) -> None:
            super().init_poolmanager(*args, **options, ssl_context=context)

        def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
            return super().proxy_manager_for(proxy, **options, ssl_context=context)

    return TrustAdapter(max_retries=0)
