"""The reason for a failed connection that operators can mend themselves: a certificate that is not trusted."""

import ssl


def refused_certificate(error: BaseException) -> str | None:
    """Return why a server's certificate was refused, as OpenSSL says it; None if the connection failed otherwise.

    HTTP clients raise errors of their own, so the causes and contexts of the error are searched too.
    """
    seen: set[int] = set()
    open_errors: list[BaseException | None] = [error]
    while open_errors:
        one = open_errors.pop()
        if one is None or id(one) in seen:
            continue
        if isinstance(one, ssl.SSLCertVerificationError) and hasattr(one, "verify_message"):  # aiohttp's has none
            return one.verify_message
        seen.add(id(one))
        open_errors += [one.__cause__, one.__context__]
    return None
