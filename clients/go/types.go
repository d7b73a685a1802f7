package quipu

import "github.com/quipu-memory/quipu/clients/go/quipuv1"

// The messages that callers meet most, by shorter names.
type (
	// Memory is one thing remembered.
	Memory = quipuv1.Memory
	// MemoryRevision is one entry of the history of a memory.
	MemoryRevision = quipuv1.MemoryRevision
	// Redaction is personal data that the server left out of a text.
	Redaction = quipuv1.Redaction
	// Hit is a memory that was found.
	Hit = quipuv1.Hit
	// SearchSummary says what answered a search.
	SearchSummary = quipuv1.SearchSummary
	// Filter is a condition on memories, as a tree.
	Filter = quipuv1.Filter
	// RankingWeights are the weights of the terms of a score; what is not set keeps its default.
	RankingWeights = quipuv1.RankingWeights
	// Tenant is a customer with spaces, keys and limits of its own.
	Tenant = quipuv1.Tenant
	// APIKey is what a caller shows to be let in, without its secret.
	APIKey = quipuv1.ApiKey
	// APIKeyRole is what a key allows.
	APIKeyRole = quipuv1.ApiKeyRole
	// GuardPolicy is what is done to secrets and personal data at writes.
	GuardPolicy = quipuv1.GuardPolicy
	// Limits are what may be used in a span of time; see AtMost.
	Limits = quipuv1.Limits
	// Limit is so much in any span of so long.
	Limit = quipuv1.Limit
	// AuditEntry is one thing that was administered.
	AuditEntry = quipuv1.AuditEntry
	// SessionInfo is a session: an ordered run of messages, with its statistics.
	SessionInfo = quipuv1.Session
	// Window has the newest messages of a session.
	Window = quipuv1.GetWindowResponse
	// Pack is a text for a prompt, with what its numbers cite.
	Pack = quipuv1.PackContextResponse
	// MemoryUse tells how often a memory was found.
	MemoryUse = quipuv1.MemoryUse
	// ErasureReceipt says what an erasure destroyed.
	ErasureReceipt = quipuv1.ErasureReceipt
	// RetentionPolicy is a rule that archives or deletes memories.
	RetentionPolicy = quipuv1.RetentionPolicy
	// RetentionAction says what a policy does.
	RetentionAction = quipuv1.RetentionAction
	// RetentionRun says how far a run of policies has come, and at its end what came of it.
	RetentionRun = quipuv1.RunRetentionResponse
	// Verdict is what somebody says of a memory that was found.
	Verdict = quipuv1.Verdict
	// Space is a set of memories that are searched together.
	Space = quipuv1.Space
	// EmbeddingModel is a model of the server.
	EmbeddingModel = quipuv1.EmbeddingModel
	// Job is work in the background.
	Job = quipuv1.Job
	// JobState says how far a job has come.
	JobState = quipuv1.JobState
	// TextEmbedding has the vectors of one text: one for each chunk.
	TextEmbedding = quipuv1.TextEmbedding
	// IndexDescription says what a server holds of a space in memory.
	IndexDescription = quipuv1.IndexDescription
)

// The sorts of memory. Without one a memory is episodic.
const (
	KindEpisodic   = quipuv1.MemoryKind_MEMORY_KIND_EPISODIC
	KindSemantic   = quipuv1.MemoryKind_MEMORY_KIND_SEMANTIC
	KindProcedural = quipuv1.MemoryKind_MEMORY_KIND_PROCEDURAL
	KindProfile    = quipuv1.MemoryKind_MEMORY_KIND_PROFILE
	KindWorking    = quipuv1.MemoryKind_MEMORY_KIND_WORKING
	KindToolResult = quipuv1.MemoryKind_MEMORY_KIND_TOOL_RESULT
)

// Who spoke.
const (
	RoleUser      = quipuv1.Role_ROLE_USER
	RoleAssistant = quipuv1.Role_ROLE_ASSISTANT
	RoleSystem    = quipuv1.Role_ROLE_SYSTEM
	RoleTool      = quipuv1.Role_ROLE_TOOL
)

// Whether a session goes on.
const (
	SessionOpen  = quipuv1.SessionState_SESSION_STATE_OPEN
	SessionEnded = quipuv1.SessionState_SESSION_STATE_ENDED
)

// How to look for memories: by meaning and by words, by one of them.
const (
	ModeHybrid  = quipuv1.SearchMode_SEARCH_MODE_HYBRID
	ModeDense   = quipuv1.SearchMode_SEARCH_MODE_DENSE
	ModeLexical = quipuv1.SearchMode_SEARCH_MODE_LEXICAL
)

// What can happen to a memory.
const (
	ChangeCreated    = quipuv1.MemoryChange_MEMORY_CHANGE_CREATED
	ChangeUpdated    = quipuv1.MemoryChange_MEMORY_CHANGE_UPDATED
	ChangeDeleted    = quipuv1.MemoryChange_MEMORY_CHANGE_DELETED
	ChangeUndeleted  = quipuv1.MemoryChange_MEMORY_CHANGE_UNDELETED
	ChangeEmbedded   = quipuv1.MemoryChange_MEMORY_CHANGE_EMBEDDED
	ChangeArchived   = quipuv1.MemoryChange_MEMORY_CHANGE_ARCHIVED
	ChangeUnarchived = quipuv1.MemoryChange_MEMORY_CHANGE_UNARCHIVED
	ChangeErased     = quipuv1.MemoryChange_MEMORY_CHANGE_ERASED
)

// What a policy of retention does.
const (
	RetentionArchive = quipuv1.RetentionAction_RETENTION_ACTION_ARCHIVE
	RetentionDelete  = quipuv1.RetentionAction_RETENTION_ACTION_DELETE
)

// How far a job has come.
const (
	JobQueued    = quipuv1.JobState_JOB_STATE_QUEUED
	JobRunning   = quipuv1.JobState_JOB_STATE_RUNNING
	JobSucceeded = quipuv1.JobState_JOB_STATE_SUCCEEDED
	JobFailed    = quipuv1.JobState_JOB_STATE_FAILED
	JobCancelled = quipuv1.JobState_JOB_STATE_CANCELLED
)

// What personal data was.
const (
	RedactionEmail = quipuv1.RedactionKind_REDACTION_KIND_EMAIL
	RedactionPhone = quipuv1.RedactionKind_REDACTION_KIND_PHONE
	RedactionSSN   = quipuv1.RedactionKind_REDACTION_KIND_SSN
	RedactionCard  = quipuv1.RedactionKind_REDACTION_KIND_CARD
)

// What can be said of a memory that was found.
const (
	VerdictUseful     = quipuv1.Verdict_VERDICT_USEFUL
	VerdictIrrelevant = quipuv1.Verdict_VERDICT_IRRELEVANT
	VerdictOutdated   = quipuv1.Verdict_VERDICT_OUTDATED
	VerdictWrong      = quipuv1.Verdict_VERDICT_WRONG
)

// How terms make a score.
const (
	FormulaQuipu      = quipuv1.RankingFormula_RANKING_FORMULA_QUIPU
	FormulaMemorymesh = quipuv1.RankingFormula_RANKING_FORMULA_MEMORYMESH
	FormulaMemoria    = quipuv1.RankingFormula_RANKING_FORMULA_MEMORIA
)

// What a vector is for: to be found, or to look for something.
const (
	PurposePassage = quipuv1.EmbeddingPurpose_EMBEDDING_PURPOSE_PASSAGE
	PurposeQuery   = quipuv1.EmbeddingPurpose_EMBEDDING_PURPOSE_QUERY
)

// Ptr returns a pointer to a value, for optional fields: Importance: quipu.Ptr(0.9).
func Ptr[T any](value T) *T {
	return &value
}

// What a key allows; each role allows what those before it do.
const (
	// RoleReader reads and searches.
	RoleReader = quipuv1.ApiKeyRole_API_KEY_ROLE_READ
	// RoleWriter writes.
	RoleWriter = quipuv1.ApiKeyRole_API_KEY_ROLE_WRITE
	// RoleAdmin administers the keys of its tenant.
	RoleAdmin = quipuv1.ApiKeyRole_API_KEY_ROLE_ADMIN
)
