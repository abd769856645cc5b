"""Says what an error of S3 means: what a person must mend, and what passes by itself."""

from __future__ import annotations

from boto3.exceptions import Boto3Error
from botocore import exceptions as boto

from infra.errors import BusyError, StorageError
from infra.stores.object_store import MissingError

FAILURES = (boto.ClientError, boto.BotoCoreError, Boto3Error)
TAKEN = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_NO_KEY = "NoSuchKey"
ABSENT = {_NO_KEY, "NotFound", "404"}  # to HEAD S3 answers without its own word
_REFUSED = {"SignatureDoesNotMatch", "InvalidAccessKeyId", "AccessDenied", "ExpiredToken", "403"}
_BUSY_WORDS = {"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "Throttling"}
_BUSY_STATES = {"ThrottlingException", "OperationAborted", "429", "500", "502", "503", "504"}
_LOST = (boto.ConnectionError, boto.HTTPClientError, boto.IncompleteReadError)


def code_of(error: BaseException) -> str:
    """Return the word of S3 for an error; empty if it never answered."""
    if isinstance(error, Boto3Error) and error.__context__ is not None:
        error = error.__context__  # an upload wraps what S3 said
    answer = error.response if isinstance(error, boto.ClientError) else {}
    return str(answer.get("Error", {}).get("Code", ""))


def passes(error: BaseException) -> bool:
    """Tell whether the same request may succeed in a while: the server is busy or does not answer.

    >>> passes(boto.ClientError({"Error": {"Code": "SlowDown"}}, "PutObject"))
    True
    >>> passes(boto.ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject"))
    False
    """
    if isinstance(error, Boto3Error) and error.__context__ is not None:
        error = error.__context__
    if isinstance(error, boto.SSLError):
        return False  # a certificate does not mend itself
    return isinstance(error, _LOST) or code_of(error) in _BUSY_WORDS | _BUSY_STATES


def unusable_object(verb: str, address: str, error: Exception) -> StorageError:
    """Say which object cannot be used, why, and what to do about it."""
    code = code_of(error)
    reason, cure = f"{code or error}", "Check the bucket, the service and CATWALK_S3_ENDPOINT."
    if code in ABSENT:
        reason, cure = "it does not exist", "Check the address, or run the step that writes it."
    elif code == "NoSuchBucket":
        reason, cure = "there is no such bucket", "Create it, or correct the address."
    elif code in _REFUSED or isinstance(error, boto.NoCredentialsError):
        reason = f"the credentials are refused ({code})" if code else "there are no credentials"
        cure = "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what they may do."
    elif code in {"InvalidRequest", "InvalidArgument", "NotImplemented"} and verb == "write":
        cure = "If the service has no such encryption: CATWALK_S3_ENCRYPTION=none."
    elif passes(error):
        cure = f"It may pass by itself; if it does not: {cure}"
    # a bare 404 may be of a proxy, or of a server that is no S3
    kind = MissingError if code == _NO_KEY else BusyError if passes(error) else StorageError
    return kind(f"Cannot {verb} {address}: {reason}.", cure)
