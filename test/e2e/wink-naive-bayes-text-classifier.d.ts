/** What the tests use of the classifier, which ships no types. */
declare module 'wink-naive-bayes-text-classifier' {
  interface Classifier {
    definePrepTasks(tasks: ((text: string) => string[])[]): void;
    defineConfig(config: { considerOnlyPresence: boolean; smoothingFactor: number }): boolean;
    learn(input: string, label: string): boolean;
    consolidate(): boolean;
    /** Each label with the binary logarithm of its odds. */
    computeOdds(input: string): [label: string, odds: number][];
    exportJSON(): string;
    importJSON(json: string): boolean;
  }
  function createClassifier(): Classifier;
  export = createClassifier;
}
