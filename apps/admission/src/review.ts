import { z } from 'zod';

/*
 * What an API server asks, and what it is answered
 * (https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/, admission.k8s.io/v1).
 * Members that newer API servers send besides are let be; what is read has its exact type.
 */

const API_VERSION = 'admission.k8s.io/v1';

const envelopeSchema = z.object({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('AdmissionReview'),
  request: z.looseObject({ uid: z.string().min(1).max(256) }),
});

const requestSchema = z.object({
  kind: z.object({ group: z.string(), version: z.string(), kind: z.string() }),
  resource: z.object({ group: z.string(), version: z.string(), resource: z.string() }),
  subResource: z.string().optional(),
  operation: z.enum(['CREATE', 'UPDATE', 'DELETE', 'CONNECT']),
  namespace: z.string().optional(),
  name: z.string().optional(),
  object: z.unknown(),
  oldObject: z.unknown(),
});

/** What is to be done to an object of a cluster. */
export type AdmissionRequest = z.infer<typeof requestSchema>;

/** A review whose answer can name it. */
export interface Envelope {
  readonly uid: string;
  /** Not looked at yet. */
  readonly request: unknown;
}

/**
 * Reads the body of a request to the webhook.
 * @returns the sentence that says why it is no AdmissionReview, when it is none
 */
export function parseEnvelope(body: Uint8Array): Envelope | string {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body));
  } catch {
    return 'the body is no JSON';
  }
  const { success, data } = envelopeSchema.safeParse(value);
  return success
    ? { uid: data.request.uid, request: data.request }
    : `the body is no AdmissionReview of ${API_VERSION} with a request; no other version is answered`;
}

/** @returns undefined when the request has not the members that it must have */
export function parseRequest(request: unknown): AdmissionRequest | undefined {
  const { success, data } = requestSchema.safeParse(request);
  return success ? data : undefined;
}

/** The answer to a review. A message goes to whoever asked for the object. */
export function formatReview(uid: string, allowed: boolean, message?: string): Record<string, unknown> {
  const status = allowed ? {} : { status: { code: 403, reason: 'Forbidden', message } };
  return { apiVersion: API_VERSION, kind: 'AdmissionReview', response: { uid, allowed, ...status } };
}
