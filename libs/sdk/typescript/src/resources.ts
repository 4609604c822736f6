import { type CallOptions, type Connection, method } from './connection.ts';
import {
  type ApiKey,
  AuthServiceDefinition,
  CreateApiKeyRequest,
  type Organization,
  Quota,
  UpdateOrganizationRequest,
} from './generated/drydock/v1/auth.ts';
import {
  type Language,
  type Template as TemplateMessage,
  TemplateServiceDefinition,
} from './generated/drydock/v1/template.ts';
import { type Webhook, type WebhookDelivery, WebhookServiceDefinition } from './generated/drydock/v1/webhook.ts';
import { CALL_OPTIONS, fromLimits, newRequestId, type ResourceLimits, refuseOthers } from './options.ts';
import { Paged } from './paged.ts';

export type { ApiKey, Language, Organization, Webhook, WebhookDelivery };
export type Template = Omit<TemplateMessage, 'defaultLimits'> & { defaultLimits: ResourceLimits };
export type QuotaOptions = Partial<Quota>;

const READ = { repeatable: true };
const WITH_REQUEST_ID = { repeatable: true };
const ONCE = { repeatable: false };

const auth = <K extends keyof typeof AuthServiceDefinition.methods>(key: K) => method(AuthServiceDefinition, key);
const hooks = <K extends keyof typeof WebhookServiceDefinition.methods>(key: K) =>
  method(WebhookServiceDefinition, key);
const templates = <K extends keyof typeof TemplateServiceDefinition.methods>(key: K) =>
  method(TemplateServiceDefinition, key);

/** The organisation's API keys. The credential needs the scope `keys`. */
export class ApiKeys {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Makes a key with at most the caller's own scopes. Its `secret` is shown this once. Throws QuotaExceededError. */
  async create(
    displayName: string,
    options: CallOptions & { scopes?: readonly string[]; expireTime?: Date } = {},
  ): Promise<{ apiKey: ApiKey; secret: string }> {
    const { scopes = [], expireTime, ...callOptions } = options;
    refuseOthers(callOptions, CALL_OPTIONS);
    const fields = { displayName, scopes: [...scopes], expireTime, requestId: newRequestId() };
    const request = CreateApiKeyRequest.create(fields);
    const { apiKey, secret } = await this.#connection.unary(
      auth('createApiKey'),
      request,
      callOptions,
      WITH_REQUEST_ID,
    );
    return { apiKey: apiKey!, secret };
  }

  /** Newest first. */
  list(options: CallOptions = {}): Paged<ApiKey> {
    refuseOthers(options, CALL_OPTIONS);
    return new Paged(async (pageToken) => {
      const answer = await this.#connection.unary(auth('listApiKeys'), { pageSize: 0, pageToken }, options, READ);
      return { items: answer.apiKeys, nextPageToken: answer.nextPageToken };
    });
  }

  /** Ends a key with its tokens, and if asked to the keys that it made. Throws NotFoundError. */
  async revoke(apiKeyId: string, options: CallOptions & { descendants?: boolean } = {}): Promise<void> {
    const { descendants: revokeDescendants = false, ...callOptions } = options;
    refuseOthers(callOptions, CALL_OPTIONS);
    const request = { apiKeyId, revokeDescendants };
    await this.#connection.unary(auth('revokeApiKey'), request, callOptions, { repeatable: true });
  }
}

/** Organisations. All but `get` of one's own need the scope `operator`. */
export class Organizations {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Makes an organisation and its first API key, whose `secret` is shown this once. */
  async create(displayName: string, options: CallOptions & { quota?: QuotaOptions } = {}) {
    const { quota, ...callOptions } = options;
    refuseOthers(callOptions, CALL_OPTIONS);
    const request = { displayName, quota: quota && Quota.create(quota), requestId: newRequestId() };
    const answer = await this.#connection.unary(auth('createOrganization'), request, callOptions, WITH_REQUEST_ID);
    return { organization: answer.organization!, apiKey: answer.apiKey!, secret: answer.secret };
  }

  async get(organizationId: string, options: CallOptions = {}): Promise<Organization> {
    refuseOthers(options, CALL_OPTIONS);
    const answer = await this.#connection.unary(auth('getOrganization'), { organizationId }, options, READ);
    return answer.organization!;
  }

  /** Newest first. */
  list(options: CallOptions = {}): Paged<Organization> {
    refuseOthers(options, CALL_OPTIONS);
    return new Paged(async (pageToken) => {
      const answer = await this.#connection.unary(auth('listOrganizations'), { pageSize: 0, pageToken }, options, READ);
      return { items: answer.organizations, nextPageToken: answer.nextPageToken };
    });
  }

  /** What of the quota is absent stays as it is. */
  async update(
    organizationId: string,
    options: CallOptions & { displayName?: string; quota?: QuotaOptions },
  ): Promise<Organization> {
    const { displayName, quota, ...callOptions } = options;
    refuseOthers(callOptions, CALL_OPTIONS);
    const request = UpdateOrganizationRequest.create({
      organizationId,
      displayName: displayName ?? '',
      quota: quota && Quota.create(quota),
      updateMask: [...(displayName === undefined ? [] : ['display_name']), ...(quota ? ['quota'] : [])],
      requestId: newRequestId(),
    });
    const answer = await this.#connection.unary(auth('updateOrganization'), request, callOptions, WITH_REQUEST_ID);
    return answer.organization!;
  }

  /** Revokes its keys at once; what it has ends soon after. */
  async delete(organizationId: string, options: CallOptions = {}): Promise<void> {
    refuseOthers(options, CALL_OPTIONS);
    const request = { organizationId, requestId: newRequestId() };
    await this.#connection.unary(auth('deleteOrganization'), request, options, WITH_REQUEST_ID);
  }
}

/** Where the organisation hears of executions of the queue that have ended. */
export class Webhooks {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The `secret` that signs deliveries is shown this once. Throws QuotaExceededError, InvalidArgumentError. */
  async create(url: string, options: CallOptions = {}): Promise<{ webhook: Webhook; secret: string }> {
    refuseOthers(options, CALL_OPTIONS);
    const request = { url, requestId: newRequestId() };
    const answer = await this.#connection.unary(hooks('createWebhook'), request, options, WITH_REQUEST_ID);
    return { webhook: answer.webhook!, secret: answer.secret };
  }

  async get(webhookId: string, options: CallOptions = {}): Promise<Webhook> {
    refuseOthers(options, CALL_OPTIONS);
    return (await this.#connection.unary(hooks('getWebhook'), { webhookId }, options, READ)).webhook!;
  }

  /** Newest first. */
  list(options: CallOptions = {}): Paged<Webhook> {
    refuseOthers(options, CALL_OPTIONS);
    return new Paged(async (pageToken) => {
      const answer = await this.#connection.unary(hooks('listWebhooks'), { pageSize: 0, pageToken }, options, READ);
      return { items: answer.webhooks, nextPageToken: answer.nextPageToken };
    });
  }

  async delete(webhookId: string, options: CallOptions = {}): Promise<void> {
    refuseOthers(options, CALL_OPTIONS);
    await this.#connection.unary(hooks('deleteWebhook'), { webhookId }, options, ONCE);
  }

  /** Makes a new secret; the one before signs too until `oldSecretExpireTime`. */
  async rotateSecret(webhookId: string, options: CallOptions = {}) {
    refuseOthers(options, CALL_OPTIONS);
    const answer = await this.#connection.unary(hooks('rotateWebhookSecret'), { webhookId }, options, ONCE);
    return { webhook: answer.webhook!, secret: answer.secret, oldSecretExpireTime: answer.oldSecretExpireTime };
  }

  /** Newest first. */
  deliveries(webhookId: string, options: CallOptions = {}): Paged<WebhookDelivery> {
    refuseOthers(options, CALL_OPTIONS);
    return new Paged(async (pageToken) => {
      const request = { webhookId, pageSize: 0, pageToken };
      const answer = await this.#connection.unary(hooks('listWebhookDeliveries'), request, options, READ);
      return { items: answer.deliveries, nextPageToken: answer.nextPageToken };
    });
  }

  /** Sends a delivery again, whether it arrived or not. */
  async redeliver(webhookId: string, deliveryId: string, options: CallOptions = {}): Promise<WebhookDelivery> {
    refuseOthers(options, CALL_OPTIONS);
    const request = { webhookId, deliveryId };
    return (await this.#connection.unary(hooks('redeliverWebhook'), request, options, ONCE)).delivery!;
  }
}

/** What sandboxes can be made of, and which languages run. */
export class Templates {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async get(templateId: string, options: CallOptions = {}): Promise<Template> {
    refuseOthers(options, CALL_OPTIONS);
    const { template } = await this.#connection.unary(templates('getTemplate'), { templateId }, options, READ);
    return toTemplate(template!);
  }

  list(options: CallOptions = {}): Paged<Template> {
    refuseOthers(options, CALL_OPTIONS);
    return new Paged(async (pageToken) => {
      const request = { pageSize: 0, pageToken };
      const answer = await this.#connection.unary(templates('listTemplates'), request, options, READ);
      return { items: answer.templates.map(toTemplate), nextPageToken: answer.nextPageToken };
    });
  }

  languages(options: CallOptions = {}): Paged<Language> {
    refuseOthers(options, CALL_OPTIONS);
    return new Paged(async (pageToken) => {
      const request = { pageSize: 0, pageToken };
      const answer = await this.#connection.unary(templates('listLanguages'), request, options, READ);
      return { items: answer.languages, nextPageToken: answer.nextPageToken };
    });
  }
}

function toTemplate({ defaultLimits, ...template }: TemplateMessage): Template {
  return { ...template, defaultLimits: fromLimits(defaultLimits) };
}
