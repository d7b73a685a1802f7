/** The messages of Quipu's protocol, generated from its protos. */

export * from "./gen/quipu/v1/admin_service_pb.js";
export * from "./gen/quipu/v1/api_key_pb.js";
export * from "./gen/quipu/v1/consistency_pb.js";
export * from "./gen/quipu/v1/embedding_service_pb.js";
export * from "./gen/quipu/v1/error_reason_pb.js";
export * from "./gen/quipu/v1/filter_pb.js";
export * from "./gen/quipu/v1/index_service_pb.js";
export * from "./gen/quipu/v1/limits_pb.js";
export * from "./gen/quipu/v1/memory_pb.js";
export * from "./gen/quipu/v1/memory_service_pb.js";
export * from "./gen/quipu/v1/ranking_pb.js";
export * from "./gen/quipu/v1/retention_policy_pb.js";
export * from "./gen/quipu/v1/retention_service_pb.js";
export * from "./gen/quipu/v1/search_service_pb.js";
export * from "./gen/quipu/v1/session_pb.js";
export * from "./gen/quipu/v1/session_service_pb.js";
export * from "./gen/quipu/v1/space_pb.js";
export * from "./gen/quipu/v1/space_service_pb.js";
export * from "./gen/quipu/v1/tenant_pb.js";
export * from "./gen/quipu/v1/value_pb.js";
