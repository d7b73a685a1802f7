"""The role that each method needs: the only place that says so. A method that is missing here is refused."""

from quipu_server.access.domain import Role

_MEMORIES = "/quipu.v1.MemoryService/"
_SPACES = "/quipu.v1.SpaceService/"
_SEARCHES = "/quipu.v1.SearchService/"
_EMBEDDINGS = "/quipu.v1.EmbeddingService/"
_INDEXES = "/quipu.v1.IndexService/"
_SESSIONS = "/quipu.v1.SessionService/"
_RETENTION = "/quipu.v1.RetentionService/"
_JOBS = "/quipu.v1.JobService/"
_ADMINISTRATION = "/quipu.v1.AdminService/"

ANY_CREDENTIAL = frozenset({"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"})
"""Methods for which any credential will do. They are open to all when the settings say so; health always is."""

ROLES: dict[str, Role] = {
    f"{_MEMORIES}CreateMemory": Role.WRITE,
    f"{_MEMORIES}BatchCreateMemories": Role.WRITE,
    f"{_MEMORIES}IngestMemories": Role.WRITE,
    f"{_MEMORIES}GetMemory": Role.READ,
    f"{_MEMORIES}BatchGetMemories": Role.READ,
    f"{_MEMORIES}ListMemories": Role.READ,
    f"{_MEMORIES}UpdateMemory": Role.WRITE,
    f"{_MEMORIES}DeleteMemory": Role.WRITE,
    f"{_MEMORIES}UndeleteMemory": Role.WRITE,
    f"{_MEMORIES}ListMemoryRevisions": Role.READ,
    f"{_MEMORIES}WatchMemories": Role.READ,
    f"{_MEMORIES}RecordFeedback": Role.WRITE,
    f"{_MEMORIES}GetMemoryUses": Role.READ,
    f"{_SPACES}CreateSpace": Role.WRITE,
    f"{_SPACES}GetSpace": Role.READ,
    f"{_SPACES}ListSpaces": Role.READ,
    f"{_SPACES}UpdateSpace": Role.WRITE,
    f"{_SPACES}DeleteSpace": Role.WRITE,
    f"{_SEARCHES}Search": Role.READ,
    f"{_EMBEDDINGS}Embed": Role.READ,
    f"{_EMBEDDINGS}CountTokens": Role.READ,
    f"{_EMBEDDINGS}ListModels": Role.READ,
    f"{_INDEXES}DescribeIndex": Role.READ,
    f"{_SEARCHES}PackContext": Role.READ,
    f"{_SESSIONS}AppendMessages": Role.WRITE,
    f"{_SESSIONS}GetSession": Role.READ,
    f"{_SESSIONS}ListSessions": Role.READ,
    f"{_SESSIONS}UpdateSession": Role.WRITE,
    f"{_SESSIONS}EndSession": Role.WRITE,
    f"{_SESSIONS}DeleteSession": Role.WRITE,
    f"{_SESSIONS}ListMessages": Role.READ,
    f"{_SESSIONS}GetWindow": Role.READ,
    f"{_RETENTION}ArchiveMemory": Role.WRITE,
    f"{_RETENTION}UnarchiveMemory": Role.WRITE,
    f"{_RETENTION}EraseMemories": Role.WRITE,
    f"{_RETENTION}CreateRetentionPolicy": Role.WRITE,
    f"{_RETENTION}GetRetentionPolicy": Role.READ,
    f"{_RETENTION}ListRetentionPolicies": Role.READ,
    f"{_RETENTION}UpdateRetentionPolicy": Role.WRITE,
    f"{_RETENTION}DeleteRetentionPolicy": Role.WRITE,
    f"{_RETENTION}RunRetention": Role.WRITE,
    f"{_JOBS}RunJob": Role.WRITE,
    f"{_JOBS}GetJob": Role.READ,
    f"{_JOBS}ListJobs": Role.READ,
    f"{_JOBS}CancelJob": Role.WRITE,
    f"{_JOBS}WatchJob": Role.READ,
    f"{_ADMINISTRATION}CreateTenant": Role.MASTER,
    f"{_ADMINISTRATION}GetTenant": Role.ADMIN,
    f"{_ADMINISTRATION}ListTenants": Role.MASTER,
    f"{_ADMINISTRATION}UpdateTenant": Role.MASTER,
    f"{_ADMINISTRATION}DeleteTenant": Role.MASTER,
    f"{_ADMINISTRATION}CreateApiKey": Role.ADMIN,
    f"{_ADMINISTRATION}GetApiKey": Role.ADMIN,
    f"{_ADMINISTRATION}ListApiKeys": Role.ADMIN,
    f"{_ADMINISTRATION}UpdateApiKey": Role.ADMIN,
    f"{_ADMINISTRATION}RotateApiKey": Role.ADMIN,
    f"{_ADMINISTRATION}RevokeApiKey": Role.ADMIN,
    f"{_ADMINISTRATION}ListAuditEntries": Role.ADMIN,
}
