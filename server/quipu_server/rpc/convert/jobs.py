"""Jobs."""

from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Struct

from quipu.v1.job_pb2 import Job as JobMessage
from quipu.v1.job_pb2 import JobState as StateMessage
from quipu.v1.job_service_pb2 import ListJobsRequest
from quipu_server.access.domain import Caller
from quipu_server.ports.jobs import Job, JobQuery, JobState, Json
from quipu_server.rpc import names
from quipu_server.rpc.convert.times import write_optional_time, write_time
from quipu_server.rpc.pages import invalid_token, read_token
from quipu_server.rpc.validate import check_count, check_known, check_page_size, check_text

MOST_KIND_BYTES = 128

_STATES = {state.value: state for state in JobState}


def read_query(request: ListJobsRequest, who: Caller) -> JobQuery:
    """The page asked for, and one job more. Raises InvalidArgument."""
    check_count(request.states, "states", len(_STATES))
    return JobQuery(
        who.tenant,
        [check_known(state, f"states[{place}]", _STATES) for place, state in enumerate(request.states)],
        check_text(request.kind, "kind", MOST_KIND_BYTES),
        names.read_space(request.space, "space") if request.space else "",
        _read_after(request),
        check_page_size(request.page_size) + 1,
        who.space_prefixes,
    )


def read_arguments(message: Struct) -> Json:
    """Numbers that are whole are ints."""
    return {name: _whole(value) for name, value in MessageToDict(message).items()}


def write_job(job: Job) -> JobMessage:
    return JobMessage(
        name=names.write_job(job.id),
        kind=job.kind,
        space=names.write_space(job.space) if job.space else "",
        state=StateMessage.ValueType(job.state),
        done_steps=job.done,
        total_steps=job.total,
        attempts=job.attempts,
        error=job.error,
        result=ParseDict(dict(job.result), Struct()) if job.result else None,
        cancel_requested=job.cancel_requested,
        create_time=write_time(job.create_time),
        update_time=write_time(job.update_time),
        start_time=write_optional_time(job.start_time),
        end_time=write_optional_time(job.end_time),
    )


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _read_after(request: ListJobsRequest) -> str:
    match read_token(request, request.page_token):
        case ():
            return ""
        case (str(job_id),):
            return job_id
    raise invalid_token()
