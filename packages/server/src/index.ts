export { type AppOptions, createServerApp, recordFailure } from './app.js';
export { ByteBudget, readBody } from './body.js';
export { KeptAnswers, type KeptAnswersOptions } from './kept-answers.js';
export { createLogger, type Listening, type ListenOptions, listen, type TlsIdentity } from './listen.js';
export { Problem, type ProblemDetails, problemBody, TITLES } from './problem.js';
export { clientOf, RateLimit } from './rate-limit.js';
export { type Ctx, clientOfRequest, decimalParam, type Env, hashParam } from './request.js';
export { acceptsGzip, base64, body, hasMatch, hex, IMMUTABLE, immutable } from './response.js';
export { answerCheckpoint, answerTile, type TileSource } from './tiles.js';
