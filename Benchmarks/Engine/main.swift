BenchmarkProgram.main(CommandLine.arguments)
