// gradus generate and gradus perplexity: a decoder at work.
#pragma once

namespace CLI {
class App;
}

namespace gradus::cli {

// Define the commands; running them sets `status`.
void add_generate(CLI::App& app, int& status);
void add_perplexity(CLI::App& app, int& status);

}  // namespace gradus::cli
