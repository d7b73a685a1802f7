package quipu_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quipu-memory/quipu/clients/go"
	"github.com/quipu-memory/quipu/clients/go/quipuv1"
)

func (f *fake) CreateApiKey(
	_ context.Context, request *quipuv1.CreateApiKeyRequest,
) (*quipuv1.CreateApiKeyResponse, error) {
	return &quipuv1.CreateApiKeyResponse{ApiKey: request.GetApiKey(), Secret: request.GetParent()}, nil
}

func (f *fake) UpdateApiKey(
	_ context.Context, request *quipuv1.UpdateApiKeyRequest,
) (*quipuv1.UpdateApiKeyResponse, error) {
	paths := request.GetUpdateMask().GetPaths()
	slices.Sort(paths)
	return &quipuv1.UpdateApiKeyResponse{ApiKey: &quipuv1.ApiKey{SpacePrefixes: paths}}, nil
}

func (f *fake) ListTenants(
	_ context.Context, request *quipuv1.ListTenantsRequest,
) (*quipuv1.ListTenantsResponse, error) {
	if request.GetPageToken() == "" {
		return &quipuv1.ListTenantsResponse{Tenants: []*quipuv1.Tenant{{Name: "tenants/a"}}, NextPageToken: "b"}, nil
	}
	return &quipuv1.ListTenantsResponse{Tenants: []*quipuv1.Tenant{{Name: "tenants/b"}}}, nil
}

func TestAKeyIsCreatedAsAsked(t *testing.T) {
	_, client := serve(t)
	limits := &quipu.Limits{Requests: quipu.AtMost(1000, time.Minute)}
	options := &quipu.KeyOptions{Role: quipu.RoleWriter, SpacePrefixes: []string{"team-"}, Limits: limits}
	key, secret, err := client.Admin().CreateAPIKey(context.Background(), "acme", options)
	if err != nil {
		t.Fatal(err)
	}
	if secret != "tenants/acme" || key.GetRole() != quipu.RoleWriter || key.GetSpacePrefixes()[0] != "team-" {
		t.Errorf("created %v for %s", key, secret)
	}
	if limit := key.GetLimits().GetRequests(); limit.GetCount() != 1000 || limit.GetWindow().GetSeconds() != 60 {
		t.Errorf("limited to %v", limit)
	}
}

func TestOnlyWhatIsGivenOfAKeyIsChanged(t *testing.T) {
	_, client := serve(t)
	options := &quipu.KeyOptions{ExpireTime: time.Now(), Role: quipu.RoleReader, Clear: []string{"limits"}}
	key, err := client.Admin().UpdateAPIKey(context.Background(), "tenants/acme/apiKeys/k", options)
	if err != nil {
		t.Fatal(err)
	}
	if got := key.GetSpacePrefixes(); !slices.Equal(got, []string{"expire_time", "limits", "role"}) {
		t.Errorf("changed %v", got)
	}
}

func TestTenantsAreListedToTheEnd(t *testing.T) {
	_, client := serve(t)
	tenants, err := quipu.Collect(client.Admin().Tenants(context.Background()))
	if err != nil || len(tenants) != 2 {
		t.Errorf("listed %v, %v", tenants, err)
	}
}

func (f *fake) CreateTenant(
	_ context.Context, request *quipuv1.CreateTenantRequest,
) (*quipuv1.CreateTenantResponse, error) {
	return &quipuv1.CreateTenantResponse{Tenant: request.GetTenant()}, nil
}

func (f *fake) UpdateTenant(
	_ context.Context, request *quipuv1.UpdateTenantRequest,
) (*quipuv1.UpdateTenantResponse, error) {
	paths := request.GetUpdateMask().GetPaths()
	slices.Sort(paths)
	return &quipuv1.UpdateTenantResponse{Tenant: &quipuv1.Tenant{DisplayName: strings.Join(paths, " ")}}, nil
}

func TestATenantHasAGuardOfItsOwn(t *testing.T) {
	_, client := serve(t)
	options := &quipu.TenantOptions{GuardPolicy: &quipu.GuardPolicy{RedactPersonal: true, Region: "DE"}}
	tenant, err := client.Admin().CreateTenant(context.Background(), "acme", options)
	if err != nil {
		t.Fatal(err)
	}
	if policy := tenant.GetGuardPolicy(); !policy.GetRedactPersonal() || policy.GetRegion() != "DE" {
		t.Errorf("created with %v", policy)
	}
	options.Clear = []string{"limits"}
	tenant, err = client.Admin().UpdateTenant(context.Background(), "acme", options)
	if err != nil || tenant.GetDisplayName() != "guard_policy limits" {
		t.Errorf("changed %v, %v", tenant, err)
	}
}
