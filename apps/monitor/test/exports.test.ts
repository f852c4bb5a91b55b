import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as monitor from '../src/index.js';

test('what the package exports', () => {
  assert.equal(Object.keys(monitor).sort(), [
    'AlarmBook',
    'Monitor',
    'MonitorConfigError',
    'MonitorStore',
    'WatchedLog',
    'alarmView',
    'createApp',
    'createMetrics',
    'deliver',
    'monitorFolder',
    'openMonitor',
    'parseConfig',
    'readConfig',
    'serveMonitor',
  ]);
});

test.run();
