"""What a tenant may try to get at another's data with: for every method requests that aim at names, ids and tokens."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID, uuid5

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from quipu.v1 import admin_service_pb2 as admin
from quipu.v1 import embedding_service_pb2 as embedding
from quipu.v1 import index_service_pb2 as index
from quipu.v1 import job_service_pb2 as jobs
from quipu.v1 import memory_service_pb2 as memories
from quipu.v1 import retention_service_pb2 as retention
from quipu.v1 import search_service_pb2 as searches
from quipu.v1 import session_service_pb2 as sessions
from quipu.v1 import space_service_pb2 as spaces
from quipu.v1.api_key_pb2 import API_KEY_ROLE_ADMIN, API_KEY_ROLE_READ, ApiKey
from quipu.v1.consistency_pb2 import AsOfRead, AtLeastRead, ReadConsistency
from quipu.v1.memory_pb2 import VERDICT_USEFUL, Memory
from quipu.v1.retention_policy_pb2 import RETENTION_ACTION_ARCHIVE, RetentionPolicy
from quipu.v1.session_pb2 import Session
from quipu.v1.space_pb2 import Space
from quipu.v1.tenant_pb2 import Tenant

FILTERS = ('content CONTAINS "e"', 'kind = "episodic"', 'NOT id = "x"', "importance >= 0")


@dataclass(frozen=True, slots=True)
class Aim:
    """Names, ids and tokens: somebody's, or nobody's. `seed` makes ids that were not used before."""

    space: str
    memory: str
    tenant: str
    key: str
    job: str
    request_id: str
    text: str
    tokens: Sequence[str]
    seed: UUID

    @property
    def names(self) -> dict[str, str]:
        """What stands for each of the names, so that answers to several aims can be compared."""
        return {
            self.space: "SPACE",
            self.memory: "MEMORY",
            self.tenant: "TENANT",
            self.key: "KEY",
            self.job: "JOB",
            self.request_id: "REQUEST",
        }

    @property
    def space_name(self) -> str:
        return f"spaces/{self.space}"

    @property
    def memory_name(self) -> str:
        return f"{self.space_name}/memories/{self.memory}"

    @property
    def session_name(self) -> str:
        return f"{self.space_name}/sessions/talk"

    @property
    def policy_name(self) -> str:
        return f"{self.space_name}/retentionPolicies/rule"

    @property
    def job_name(self) -> str:
        return f"jobs/{self.job}"

    @property
    def tenant_name(self) -> str:
        return f"tenants/{self.tenant}"

    @property
    def key_name(self) -> str:
        return f"{self.tenant_name}/apiKeys/{self.key}"

    def fresh(self, place: str) -> str:
        """A request id that nobody used."""
        return str(uuid5(self.seed, place))


Requests: TypeAlias = Iterator[Sequence[Message]]
"""One sequence a call: several messages where the caller streams."""
PROBES: dict[str, Callable[[Aim], Requests]] = {}


def probe(method: str) -> Callable[[Callable[[Aim], Requests]], Callable[[Aim], Requests]]:
    def register(make: Callable[[Aim], Requests]) -> Callable[[Aim], Requests]:
        PROBES[f"/quipu.v1.{method}"] = make
        return make

    return register


@probe("MemoryService/GetMemory")
def get_memory(aim: Aim) -> Requests:
    for revision in (0, 1, 2, 1_000):
        yield [memories.GetMemoryRequest(name=aim.memory_name, revision=revision)]


@probe("MemoryService/BatchGetMemories")
def batch_get(aim: Aim) -> Requests:
    yield [memories.BatchGetMemoriesRequest(parent=aim.space_name, names=[aim.memory_name])]


@probe("MemoryService/ListMemories")
def list_memories(aim: Aim) -> Requests:
    for text in ("", *FILTERS):
        yield [memories.ListMemoriesRequest(parent=aim.space_name, filter=text, show_deleted=True)]
    for order in ("create_time", "update_time desc", "event_time"):
        yield [memories.ListMemoriesRequest(parent=aim.space_name, order_by=order, page_size=1)]
    for token in aim.tokens:
        yield [memories.ListMemoriesRequest(parent=aim.space_name, page_size=1, page_token=token)]
    yield [memories.ListMemoriesRequest(parent=aim.space_name, revision=1)]


@probe("MemoryService/ListMemoryRevisions")
def list_revisions(aim: Aim) -> Requests:
    yield [memories.ListMemoryRevisionsRequest(name=aim.memory_name)]
    for token in aim.tokens:
        yield [memories.ListMemoryRevisionsRequest(name=aim.memory_name, page_size=1, page_token=token)]


@probe("MemoryService/WatchMemories")
def watch(aim: Aim) -> Requests:
    for after in ({}, {aim.space_name: 0}, {aim.space_name: 1_000}):
        yield [memories.WatchMemoriesRequest(spaces=[aim.space_name], after_revisions=after)]


@probe("MemoryService/UpdateMemory")
def update(aim: Aim) -> Requests:
    for etag in ("", "1"):
        memory = Memory(name=aim.memory_name, speaker="somebody", etag=etag)
        yield [memories.UpdateMemoryRequest(memory=memory, update_mask=FieldMask(paths=["speaker"]))]
        yield [memories.UpdateMemoryRequest(memory=memory, request_id=aim.request_id)]


@probe("MemoryService/DeleteMemory")
def delete(aim: Aim) -> Requests:
    yield [memories.DeleteMemoryRequest(name=aim.memory_name, etag="1")]
    yield [memories.DeleteMemoryRequest(name=aim.memory_name)]
    yield [memories.DeleteMemoryRequest(name=aim.memory_name, allow_missing=True, request_id=aim.request_id)]


@probe("MemoryService/UndeleteMemory")
def undelete(aim: Aim) -> Requests:
    yield [memories.UndeleteMemoryRequest(name=aim.memory_name)]
    yield [memories.UndeleteMemoryRequest(name=aim.memory_name, request_id=aim.request_id)]


@probe("MemoryService/RecordFeedback")
def feedback(aim: Aim) -> Requests:
    for request_id in (aim.request_id, aim.fresh("feedback")):
        yield [memories.RecordFeedbackRequest(name=aim.memory_name, verdict=VERDICT_USEFUL, request_id=request_id)]


@probe("MemoryService/GetMemoryUses")
def uses(aim: Aim) -> Requests:
    yield [memories.GetMemoryUsesRequest(parent=aim.space_name, names=[aim.memory_name])]


@probe("SearchService/PackContext")
def pack(aim: Aim) -> Requests:
    what = searches.SearchRequest(spaces=[aim.space_name], text=aim.text)
    for session in ("", aim.session_name):
        yield [searches.PackContextRequest(search=what, session=session, token_budget=500)]


@probe("SearchService/Search")
def search(aim: Aim) -> Requests:
    where = [aim.space_name]
    for mode in searches.SearchMode.values():
        yield [searches.SearchRequest(spaces=where, text=aim.text, mode=mode)]
    for text in FILTERS:
        yield [searches.SearchRequest(spaces=where, text=aim.text, filter=text, min_relevance=-1)]
    yield [searches.SearchRequest(spaces=where, example=aim.memory_name)]
    revisions = {aim.space_name: 1}
    for consistency in (
        ReadConsistency(as_of=AsOfRead(revisions=revisions)),
        ReadConsistency(at_least=AtLeastRead(revisions=revisions)),
    ):
        yield [searches.SearchRequest(spaces=where, text=aim.text, consistency=consistency)]


@probe("SessionService/AppendMessages")
def append_messages(aim: Aim) -> Requests:
    messages = [sessions.NewMessage(memory=Memory(content="mine"))]
    for request_id in (aim.request_id, aim.fresh("messages")):
        yield [sessions.AppendMessagesRequest(parent=aim.session_name, messages=messages, request_id=request_id)]


@probe("SessionService/GetSession")
def get_session(aim: Aim) -> Requests:
    yield [sessions.GetSessionRequest(name=aim.session_name)]


@probe("SessionService/ListSessions")
def list_sessions(aim: Aim) -> Requests:
    for order in ("", "activity"):
        yield [sessions.ListSessionsRequest(parent=aim.space_name, order_by=order)]
    for token in aim.tokens:
        yield [sessions.ListSessionsRequest(parent=aim.space_name, page_size=1, page_token=token)]


@probe("SessionService/ListMessages")
def list_messages(aim: Aim) -> Requests:
    for newest_first in (False, True):
        yield [sessions.ListMessagesRequest(parent=aim.session_name, newest_first=newest_first)]
    for token in aim.tokens:
        yield [sessions.ListMessagesRequest(parent=aim.session_name, page_size=1, page_token=token)]


@probe("SessionService/GetWindow")
def window(aim: Aim) -> Requests:
    yield [sessions.GetWindowRequest(name=aim.session_name, max_tokens=100)]


@probe("SessionService/UpdateSession")
def update_session(aim: Aim) -> Requests:
    session = Session(name=aim.session_name, title="mine")
    yield [sessions.UpdateSessionRequest(session=session, update_mask=FieldMask(paths=["title"]))]


@probe("SessionService/EndSession")
def end_session(aim: Aim) -> Requests:
    yield [sessions.EndSessionRequest(name=aim.session_name)]


@probe("SessionService/DeleteSession")
def delete_session(aim: Aim) -> Requests:
    yield [sessions.DeleteSessionRequest(name=aim.session_name, request_id=aim.request_id)]
    yield [sessions.DeleteSessionRequest(name=aim.session_name)]


@probe("JobService/RunJob")
def run_job(aim: Aim) -> Requests:
    yield [jobs.RunJobRequest(kind="embed", space=aim.space_name)]


@probe("JobService/GetJob")
def get_job(aim: Aim) -> Requests:
    yield [jobs.GetJobRequest(name=aim.job_name)]


@probe("JobService/ListJobs")
def list_jobs(aim: Aim) -> Requests:
    yield [jobs.ListJobsRequest(space=aim.space_name)]
    yield [jobs.ListJobsRequest()]
    for token in aim.tokens:
        yield [jobs.ListJobsRequest(page_size=1, page_token=token)]


@probe("JobService/WatchJob")
def watch_job(aim: Aim) -> Requests:
    yield [jobs.WatchJobRequest(name=aim.job_name)]


@probe("JobService/CancelJob")
def cancel_job(aim: Aim) -> Requests:
    yield [jobs.CancelJobRequest(name=aim.job_name)]


@probe("IndexService/DescribeIndex")
def describe_index(aim: Aim) -> Requests:
    yield [index.DescribeIndexRequest(space=aim.space_name)]
    yield [index.DescribeIndexRequest(space=aim.space_name, recall_sample=3)]


@probe("EmbeddingService/Embed")
def embed(aim: Aim) -> Requests:
    yield [embedding.EmbedRequest(texts=[aim.text], purpose=embedding.EMBEDDING_PURPOSE_QUERY)]


@probe("EmbeddingService/CountTokens")
def count_tokens(aim: Aim) -> Requests:
    yield [embedding.CountTokensRequest(texts=[aim.text])]


@probe("EmbeddingService/ListModels")
def list_models(aim: Aim) -> Requests:
    yield [embedding.ListModelsRequest()]


@probe("SpaceService/GetSpace")
def get_space(aim: Aim) -> Requests:
    yield [spaces.GetSpaceRequest(name=aim.space_name)]


@probe("SpaceService/ListSpaces")
def list_spaces(aim: Aim) -> Requests:
    yield [spaces.ListSpacesRequest(page_size=1_000)]
    for token in aim.tokens:
        yield [spaces.ListSpacesRequest(page_size=1, page_token=token)]


@probe("SpaceService/UpdateSpace")
def update_space(aim: Aim) -> Requests:
    for etag in ("", "1", "2"):
        space = Space(name=aim.space_name, display_name="mine", etag=etag)
        yield [spaces.UpdateSpaceRequest(space=space, request_id=aim.request_id if etag == "2" else "")]


@probe("SpaceService/DeleteSpace")
def delete_space(aim: Aim) -> Requests:
    yield [spaces.DeleteSpaceRequest(name=aim.space_name)]
    yield [spaces.DeleteSpaceRequest(name=aim.space_name, force=True, request_id=aim.request_id)]
    yield [spaces.DeleteSpaceRequest(name=aim.space_name, force=True)]


@probe("SpaceService/CreateSpace")
def create_space(aim: Aim) -> Requests:
    yield [spaces.CreateSpaceRequest(space_id=aim.space, request_id=aim.request_id)]
    yield [spaces.CreateSpaceRequest(space_id=aim.space, request_id=aim.fresh("space"))]


@probe("MemoryService/CreateMemory")
def create(aim: Aim) -> Requests:
    made = Memory(content="what is mine")
    for memory_id in (aim.memory, aim.memory, ""):
        yield [memories.CreateMemoryRequest(parent=aim.space_name, memory_id=memory_id, memory=made)]
    yield [memories.CreateMemoryRequest(parent=aim.space_name, memory=made, request_id=aim.request_id)]


@probe("MemoryService/BatchCreateMemories")
def batch_create(aim: Aim) -> Requests:
    requests = [memories.CreateMemoryRequest(memory=Memory(content="mine")) for _ in range(2)]
    for request_id in (aim.request_id, aim.fresh("batch")):
        yield [memories.BatchCreateMemoriesRequest(parent=aim.space_name, requests=requests, request_id=request_id)]


@probe("MemoryService/IngestMemories")
def ingest(aim: Aim) -> Requests:
    for stream_id in (aim.request_id, aim.fresh("stream")):
        start = memories.IngestStart(parent=aim.space_name, stream_id=stream_id)
        item = memories.IngestItem(offset=0, memory=Memory(content="mine"))
        yield [memories.IngestMemoriesRequest(start=start), memories.IngestMemoriesRequest(item=item)]


@probe("AdminService/CreateTenant")
def create_tenant(aim: Aim) -> Requests:
    yield [admin.CreateTenantRequest(tenant_id=aim.tenant)]


@probe("AdminService/GetTenant")
def get_tenant(aim: Aim) -> Requests:
    yield [admin.GetTenantRequest(name=aim.tenant_name)]


@probe("AdminService/ListTenants")
def list_tenants(aim: Aim) -> Requests:
    yield [admin.ListTenantsRequest(page_size=1_000)]


@probe("AdminService/UpdateTenant")
def update_tenant(aim: Aim) -> Requests:
    yield [admin.UpdateTenantRequest(tenant=Tenant(name=aim.tenant_name, display_name="x"))]


@probe("AdminService/DeleteTenant")
def delete_tenant(aim: Aim) -> Requests:
    yield [admin.DeleteTenantRequest(name=aim.tenant_name, force=True)]


@probe("AdminService/CreateApiKey")
def create_key(aim: Aim) -> Requests:
    for role in (API_KEY_ROLE_READ, API_KEY_ROLE_ADMIN):
        yield [admin.CreateApiKeyRequest(parent=aim.tenant_name, api_key=ApiKey(role=role))]


@probe("AdminService/GetApiKey")
def get_key(aim: Aim) -> Requests:
    yield [admin.GetApiKeyRequest(name=aim.key_name)]


@probe("AdminService/ListApiKeys")
def list_keys(aim: Aim) -> Requests:
    yield [admin.ListApiKeysRequest(parent=aim.tenant_name)]
    for token in aim.tokens:
        yield [admin.ListApiKeysRequest(parent=aim.tenant_name, page_size=1, page_token=token)]


@probe("AdminService/UpdateApiKey")
def update_key(aim: Aim) -> Requests:
    yield [admin.UpdateApiKeyRequest(api_key=ApiKey(name=aim.key_name, display_name="x"))]


@probe("AdminService/RotateApiKey")
def rotate_key(aim: Aim) -> Requests:
    yield [admin.RotateApiKeyRequest(name=aim.key_name)]


@probe("AdminService/RevokeApiKey")
def revoke_key(aim: Aim) -> Requests:
    yield [admin.RevokeApiKeyRequest(name=aim.key_name)]


@probe("AdminService/ListAuditEntries")
def audit(aim: Aim) -> Requests:
    yield [admin.ListAuditEntriesRequest()]
    yield [admin.ListAuditEntriesRequest(parent=aim.tenant_name)]


@probe("RetentionService/ArchiveMemory")
def archive(aim: Aim) -> Requests:
    yield [retention.ArchiveMemoryRequest(name=aim.memory_name, etag="1")]
    yield [retention.ArchiveMemoryRequest(name=aim.memory_name)]
    yield [retention.ArchiveMemoryRequest(name=aim.memory_name, request_id=aim.request_id)]


@probe("RetentionService/UnarchiveMemory")
def unarchive(aim: Aim) -> Requests:
    yield [retention.UnarchiveMemoryRequest(name=aim.memory_name)]
    yield [retention.UnarchiveMemoryRequest(name=aim.memory_name, request_id=aim.request_id)]


@probe("RetentionService/EraseMemories")
def erase(aim: Aim) -> Requests:
    for dry_run in (True, False):
        yield [retention.EraseMemoriesRequest(parent=aim.space_name, names=[aim.memory_name], dry_run=dry_run)]
        for text in FILTERS:
            yield [retention.EraseMemoriesRequest(parent=aim.space_name, filter=text, dry_run=dry_run)]


@probe("RetentionService/CreateRetentionPolicy")
def create_policy(aim: Aim) -> Requests:
    policy = RetentionPolicy(action=RETENTION_ACTION_ARCHIVE, tags=["nothing has it"])
    for request_id in (aim.request_id, aim.fresh("policy"), ""):
        yield [
            retention.CreateRetentionPolicyRequest(
                parent=aim.space_name, retention_policy_id="rule", retention_policy=policy, request_id=request_id
            )
        ]


@probe("RetentionService/GetRetentionPolicy")
def get_policy(aim: Aim) -> Requests:
    yield [retention.GetRetentionPolicyRequest(name=aim.policy_name)]


@probe("RetentionService/ListRetentionPolicies")
def list_policies(aim: Aim) -> Requests:
    yield [retention.ListRetentionPoliciesRequest(parent=aim.space_name)]
    yield [retention.ListRetentionPoliciesRequest(parent="spaces/-")]
    for token in aim.tokens:
        yield [retention.ListRetentionPoliciesRequest(parent=aim.space_name, page_token=token)]


@probe("RetentionService/RunRetention")
def run_retention(aim: Aim) -> Requests:
    for dry_run in (True, False):
        yield [retention.RunRetentionRequest(parent=aim.space_name, dry_run=dry_run)]


@probe("RetentionService/UpdateRetentionPolicy")
def update_policy(aim: Aim) -> Requests:
    for etag in ("", "1"):
        policy = RetentionPolicy(name=aim.policy_name, priority=3, etag=etag)
        yield [retention.UpdateRetentionPolicyRequest(retention_policy=policy)]


@probe("RetentionService/DeleteRetentionPolicy")
def delete_policy(aim: Aim) -> Requests:
    for request_id in (aim.request_id, ""):
        yield [retention.DeleteRetentionPolicyRequest(name=aim.policy_name, request_id=request_id)]
