export { type CommandOptions, commandEndpoint } from './command-endpoint.js';
