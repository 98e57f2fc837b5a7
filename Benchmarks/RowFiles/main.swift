RowFilesBenchmark.run(CommandLine.arguments)
