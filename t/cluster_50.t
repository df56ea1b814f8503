#!/usr/bin/perl
# A real cluster of Cassandra 5.0 behind collector, nginx and HAProxy.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Prober::Scenario;

run_scenario('5.0.4');
