package quipu

import (
	"context"
	"iter"
	"time"

	"github.com/quipu-memory/quipu/clients/go/quipuv1"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Admin administers tenants and their keys. It needs the master key, or for its own tenant a key with RoleAdmin. Tenants
// are given as ids or names, keys by their names, `tenants/{tenant}/apiKeys/{key}`.
type Admin struct {
	wire  *wire
	calls quipuv1.AdminServiceClient
}

// Admin gives the calls that administer.
func (c *Client) Admin() *Admin {
	return &Admin{c.wire, quipuv1.NewAdminServiceClient(c.connection)}
}

// AtMost is a limit: so much in any span of so long, in whole seconds.
func AtMost(count int64, window time.Duration) *Limit {
	return &Limit{Count: count, Window: durationpb.New(window)}
}

// TenantOptions are for CreateTenant and UpdateTenant. What has its zero value is not changed; Clear brings defaults back.
type TenantOptions struct {
	// DisplayName is a name for people, at most 256 bytes.
	DisplayName string
	// Limits are what all keys of the tenant may use together; they replace those it has.
	Limits *Limits
	// GuardPolicy is what is done to secrets and personal data at writes, beside what the server does for all; it replaces the
	// one it has.
	GuardPolicy *GuardPolicy
	// Clear names the settings that get their defaults when a tenant is updated: `display_name`, `limits`, `guard_policy`.
	Clear []string
}

func (o TenantOptions) fill(tenant *Tenant) []string {
	paths := append([]string{}, o.Clear...)
	tenant.DisplayName, tenant.Limits, tenant.GuardPolicy = o.DisplayName, o.Limits, o.GuardPolicy
	for path, isGiven := range map[string]bool{
		"display_name": o.DisplayName != "",
		"limits":       o.Limits != nil,
		"guard_policy": o.GuardPolicy != nil,
	} {
		if isGiven {
			paths = append(paths, path)
		}
	}
	return paths
}

// CreateTenant creates a tenant. It fails with ErrAlreadyExists.
func (a *Admin) CreateTenant(ctx context.Context, tenant string, options *TenantOptions) (*Tenant, error) {
	created := &Tenant{}
	orDefault(options).fill(created)
	request := &quipuv1.CreateTenantRequest{TenantId: tenant, Tenant: created}
	response, err := unary(ctx, a.wire, a.calls.CreateTenant, request)
	return response.GetTenant(), err
}

// Tenant returns a tenant. It fails with ErrNotFound.
func (a *Admin) Tenant(ctx context.Context, tenant string) (*Tenant, error) {
	response, err := unary(ctx, a.wire, a.calls.GetTenant, &quipuv1.GetTenantRequest{Name: tenantName(tenant)})
	return response.GetTenant(), err
}

// Tenants lists the tenants by id. Pages are fetched as in List.
func (a *Admin) Tenants(ctx context.Context) iter.Seq2[*Tenant, error] {
	request := &quipuv1.ListTenantsRequest{PageSize: defaultPageSize}
	return items((*quipuv1.ListTenantsResponse).GetTenants, func(token string) (*quipuv1.ListTenantsResponse, error) {
		request.PageToken = token
		return unary(ctx, a.wire, a.calls.ListTenants, request)
	})
}

// UpdateTenant changes the settings that are given. It fails with ErrNotFound.
func (a *Admin) UpdateTenant(ctx context.Context, tenant string, options *TenantOptions) (*Tenant, error) {
	changed := &Tenant{Name: tenantName(tenant)}
	paths := orDefault(options).fill(changed)
	request := &quipuv1.UpdateTenantRequest{Tenant: changed, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}}
	response, err := unary(ctx, a.wire, a.calls.UpdateTenant, request)
	return response.GetTenant(), err
}

// DeleteTenant destroys a tenant with its keys for good, and with force its spaces, and returns how many spaces went with
// it. It fails with ErrFailedPrecondition when there are spaces and force is off.
func (a *Admin) DeleteTenant(ctx context.Context, tenant string, force bool) (int64, error) {
	request := &quipuv1.DeleteTenantRequest{Name: tenantName(tenant), Force: force}
	response, err := unary(ctx, a.wire, a.calls.DeleteTenant, request)
	return response.GetDeletedSpaceCount(), err
}

// KeyOptions are for CreateAPIKey and UpdateAPIKey. What has its zero value is not changed; Clear brings defaults back.
type KeyOptions struct {
	// Role is what the key allows; CreateAPIKey needs it.
	Role APIKeyRole
	// DisplayName is a name for people, at most 256 bytes.
	DisplayName string
	// SpacePrefixes: the key is good for spaces only whose ids begin with one of these.
	SpacePrefixes []string
	// Limits are what the key may use, beside what its tenant may.
	Limits *Limits
	// ExpireTime: from then on the key is refused.
	ExpireTime time.Time
	// Clear names what gets its default when a key is updated: `space_prefixes`, `expire_time` and so on.
	Clear []string
}

func (o KeyOptions) fill(key *APIKey) []string {
	paths := append([]string{}, o.Clear...)
	key.Role, key.DisplayName, key.SpacePrefixes, key.Limits = o.Role, o.DisplayName, o.SpacePrefixes, o.Limits
	if !o.ExpireTime.IsZero() {
		key.ExpireTime = timestamppb.New(o.ExpireTime)
		paths = append(paths, "expire_time")
	}
	for path, isGiven := range map[string]bool{
		"role":           o.Role != 0,
		"display_name":   o.DisplayName != "",
		"space_prefixes": len(o.SpacePrefixes) > 0,
		"limits":         o.Limits != nil,
	} {
		if isGiven {
			paths = append(paths, path)
		}
	}
	return paths
}

// CreateAPIKey creates a key and returns it with its secret, which cannot be had again. It fails with ErrNotFound when
// there is no such tenant.
func (a *Admin) CreateAPIKey(ctx context.Context, tenant string, options *KeyOptions) (*APIKey, string, error) {
	key := &APIKey{}
	orDefault(options).fill(key)
	request := &quipuv1.CreateApiKeyRequest{Parent: tenantName(tenant), ApiKey: key}
	response, err := unary(ctx, a.wire, a.calls.CreateApiKey, request)
	return response.GetApiKey(), response.GetSecret(), err
}

// APIKey returns a key without its secret. It fails with ErrNotFound.
func (a *Admin) APIKey(ctx context.Context, key string) (*APIKey, error) {
	response, err := unary(ctx, a.wire, a.calls.GetApiKey, &quipuv1.GetApiKeyRequest{Name: key})
	return response.GetApiKey(), err
}

// APIKeys lists the keys of a tenant by id, revoked ones included. Pages are fetched as in List.
func (a *Admin) APIKeys(ctx context.Context, tenant string) iter.Seq2[*APIKey, error] {
	request := &quipuv1.ListApiKeysRequest{Parent: tenantName(tenant), PageSize: defaultPageSize}
	return items((*quipuv1.ListApiKeysResponse).GetApiKeys, func(token string) (*quipuv1.ListApiKeysResponse, error) {
		request.PageToken = token
		return unary(ctx, a.wire, a.calls.ListApiKeys, request)
	})
}

// UpdateAPIKey changes what is given of a key. It fails with ErrNotFound, and with ErrFailedPrecondition when the key is
// revoked.
func (a *Admin) UpdateAPIKey(ctx context.Context, key string, options *KeyOptions) (*APIKey, error) {
	changed := &APIKey{Name: key}
	paths := orDefault(options).fill(changed)
	request := &quipuv1.UpdateApiKeyRequest{ApiKey: changed, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}}
	response, err := unary(ctx, a.wire, a.calls.UpdateApiKey, request)
	return response.GetApiKey(), err
}

// RotateAPIKey gives a key a new secret and returns it; it cannot be had again. The old one stays good for the grace.
func (a *Admin) RotateAPIKey(ctx context.Context, key string, grace time.Duration) (*APIKey, string, error) {
	request := &quipuv1.RotateApiKeyRequest{Name: key, Grace: durationpb.New(grace)}
	response, err := unary(ctx, a.wire, a.calls.RotateApiKey, request)
	return response.GetApiKey(), response.GetSecret(), err
}

// RevokeAPIKey makes a key useless for good, on every server within 5 seconds. It fails with ErrNotFound.
func (a *Admin) RevokeAPIKey(ctx context.Context, key string) (*APIKey, error) {
	response, err := unary(ctx, a.wire, a.calls.RevokeApiKey, &quipuv1.RevokeApiKeyRequest{Name: key})
	return response.GetApiKey(), err
}

// AuditEntries lists what was administered, newest first: of a tenant, or for "" of all. Pages are fetched as in List.
func (a *Admin) AuditEntries(ctx context.Context, tenant string) iter.Seq2[*AuditEntry, error] {
	request := &quipuv1.ListAuditEntriesRequest{PageSize: defaultPageSize}
	if tenant != "" {
		request.Parent = tenantName(tenant)
	}
	entries := (*quipuv1.ListAuditEntriesResponse).GetEntries
	return items(entries, func(token string) (*quipuv1.ListAuditEntriesResponse, error) {
		request.PageToken = token
		return unary(ctx, a.wire, a.calls.ListAuditEntries, request)
	})
}

func tenantName(tenant string) string {
	return prefixed("tenants/", tenant)
}
