#!/usr/bin/perl
# A real cluster of Cassandra 4.1 (on Java 11) behind collector, nginx and HAProxy.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Prober::Scenario;

run_scenario('4.1.9');
